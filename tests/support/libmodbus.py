"""A Modbus server that we did not write: Debian's libmodbus through ctypes, in a process of its own.

`python libmodbus.py tcp` or `python libmodbus.py rtu DEVICE UNIT`. Holding register i holds (i * 7 + 1) & 0xFFFF, input register i
(i * 11 + 3) & 0xFFFF, coil and discrete i are i % 3 == 0 and i % 5 == 0; 300 of each. Prints the port (TCP) or 0 when it is ready.
"""

from __future__ import annotations

import ctypes
import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

LIBRARY = "libmodbus.so.5"
SIZE = 300


def missing() -> str:
    """Why tests with it must be skipped; '' if it is there."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        return f"needs libmodbus: {error}"
    return ""


def holding(i: int) -> int:
    return (i * 7 + 1) & 0xFFFF


def inputs(i: int) -> int:
    return (i * 11 + 3) & 0xFFFF


class LibModbus:
    """The server's process; ready when it is entered."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> LibModbus:
        self._process = subprocess.Popen([sys.executable, __file__, *self._arguments], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "libmodbus did not start"
        self.port = int(line)
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()


class _Mapping(ctypes.Structure):
    _fields_ = (
        ("nb_bits", ctypes.c_int),
        ("start_bits", ctypes.c_int),
        ("nb_input_bits", ctypes.c_int),
        ("start_input_bits", ctypes.c_int),
        ("nb_input_registers", ctypes.c_int),
        ("start_input_registers", ctypes.c_int),
        ("nb_registers", ctypes.c_int),
        ("start_registers", ctypes.c_int),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL(LIBRARY, use_errno=True)
    lib.modbus_new_tcp.restype = lib.modbus_new_rtu.restype = ctypes.c_void_p
    lib.modbus_new_tcp.argtypes = (ctypes.c_char_p, ctypes.c_int)
    lib.modbus_new_rtu.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int)
    lib.modbus_mapping_new.restype = ctypes.POINTER(_Mapping)
    lib.modbus_mapping_new.argtypes = (ctypes.c_int,) * 4
    lib.modbus_set_slave.argtypes = (ctypes.c_void_p, ctypes.c_int)
    lib.modbus_connect.argtypes = lib.modbus_close.argtypes = (ctypes.c_void_p,)
    lib.modbus_tcp_listen.argtypes = (ctypes.c_void_p, ctypes.c_int)
    lib.modbus_tcp_accept.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))
    lib.modbus_receive.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    lib.modbus_reply.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Mapping))
    return lib


def _serve(lib: ctypes.CDLL, context: int, mapping: object) -> None:
    query = ctypes.create_string_buffer(260)
    while (got := lib.modbus_receive(context, query)) >= 0:
        if got:
            lib.modbus_reply(context, query, got, mapping)


def _main(kind: str, *rest: str) -> None:
    lib = _library()
    mapping = lib.modbus_mapping_new(SIZE, SIZE, SIZE, SIZE)
    for i in range(SIZE):
        mapping[0].tab_registers[i] = holding(i)
        mapping[0].tab_input_registers[i] = inputs(i)
        mapping[0].tab_bits[i] = i % 3 == 0
        mapping[0].tab_input_bits[i] = i % 5 == 0
    if kind == "rtu":
        context = lib.modbus_new_rtu(rest[0].encode(), 115200, b"N", 8, 1)
        lib.modbus_set_slave(context, int(rest[1]))
        if lib.modbus_connect(context) < 0:
            sys.exit("cannot open the port")
        print(0, flush=True)
        while True:
            _serve(lib, context, mapping)
    context = lib.modbus_new_tcp(b"127.0.0.1", int(rest[0]) if rest else 0)
    listening = ctypes.c_int(lib.modbus_tcp_listen(context, 1))
    with socket.socket(fileno=listening.value) as waiting:
        print(waiting.getsockname()[1], flush=True)
        while lib.modbus_tcp_accept(context, ctypes.byref(listening)) >= 0:
            _serve(lib, context, mapping)
            lib.modbus_close(context)


if __name__ == "__main__":
    _main(*sys.argv[1:])
