// What the operator may ask: one POST each, answered in words.

/** Send a command of agent/commands.py; the answer says whether it was accepted and why not. */
export async function post(command, words) {
  const body = JSON.stringify({ ...command, by: "page", id: identifier() });
  try {
    const answer = await fetch(`/api/command?lang=${words.language}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(8000),
    });
    const content = await answer.json();
    return { accepted: answer.ok && content.accepted === true, text: content.text ?? "" };
  } catch (error) {
    if (error instanceof ReferenceError) throw error;
    return { accepted: false, text: words.t("command.unheard") };
  }
}

// crypto.randomUUID is missing where the page is not served from localhost.
function identifier() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
