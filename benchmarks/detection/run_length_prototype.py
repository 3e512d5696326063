"""UNFINISHED prototype of the run-length simulation (issue 5, Show 1): drives agent/kernels/drift.py alone, NOT drift.Drift. Not the benchmark yet.

`python benchmarks/detection/run_length_prototype.py "doubt=0.5" 2000,400000`
"""
import sys, time, numba, numpy as np, math
from pathlib import Path; sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from drivers import jit; jit.prepare()
from agent.kernels import drift as D
kern=D.update
@numba.njit(nogil=True)
def noise(out, phi, t4, x):
    s=math.sqrt(1-phi*phi)
    for i in range(out.shape[0]):
        e=np.random.standard_normal()
        if t4:
            e/=math.sqrt(-2*math.log((1-np.random.random())*(1-np.random.random()))/4)*math.sqrt(2.0)
        x=phi*x+s*e
        out[i,0]=x*0.05+4.0
    return x
@numba.njit(nogil=True)
def run(seed,phi,t4,n,steps,state,settings,buf,learn,out,times):
    np.random.seed(seed)
    w=np.empty((60,1)); x=noise(w,phi,t4,0.0)
    a=0;done=0;k=0
    first=np.empty((n,1)); x=noise(first,phi,t4,x)
    kern(state,first,learn[:n],settings,np.empty((n,3,1)))
    ready = state[D.LIMIT,0]<np.inf
    while done<steps:
        x=noise(buf,phi,t4,x)
        kern(state,buf,learn,settings,out)
        for i in range(buf.shape[0]):
            ev=out[i,2,0]
            if ev==1.0 or ev==-1.0:
                if k<times.shape[0]: times[k]=done+i
                k+=1
        done+=buf.shape[0]
    return k, ready
@numba.njit(nogil=True)
def delay(seed,phi,t4,n,shift,state,settings,out):
    np.random.seed(seed)
    w=np.empty((60,1)); x=noise(w,phi,t4,0.0)
    b=np.empty((n,1)); x=noise(b,phi,t4,x)
    l=np.ones((n,1),np.uint8)
    kern(state,b,l,settings,np.empty((n,3,1)))
    m=400
    b=np.empty((m,1)); x=noise(b,phi,t4,x)
    b+=shift*0.05
    o=np.empty((m,3,1))
    kern(state,b,np.ones((m,1),np.uint8),settings,o)
    for i in range(m):
        if o[i,2,0]==1.0 : return i+1
        if o[i,2,0]==-1.0 : return 9999
    return 9999
def cell(T,phi,t4,n,teach,mult,early=5000,**kw):
    S=D.settings(T,n,**kw)
    steps=int(T*mult); B=4096
    buf=np.empty((B,1));learn=np.ones((B,1),np.uint8);out=np.empty((B,3,1));times=np.zeros(64,np.int64)
    ks=[];rd=0
    for s in range(teach):
        st=D.new(1); k,r=run(1000+s,phi,t4,n,steps,st,S,buf,learn,out,times); ks.append(k); rd+=r
    ks=np.array(ks); rate=ks/steps*T
    E=512
    kk=0; re=0
    buf=np.empty((E,1));out=np.empty((E,3,1))
    for s in range(early):
        st=D.new(1); k,r=run(500000+s,phi,t4,n,E,st,S,buf,learn[:E] if E>=n else np.ones((max(E,n),1),np.uint8),out,times); kk+=k
    ds=[delay(9000000+s,phi,t4,n,2.0,D.new(1),S,out) for s in range(400)]
    print(f"T{T} phi{phi} {'t4' if t4 else 'N '} n{n}: rate {rate.mean():.2f} <=3x {np.mean(rate<=3):.3f} max {rate.max():.1f} ready {rd/teach:.2f} early {kk/(early*E)*T:.1f}x P(early) {kk/early:.4f}  delay med {np.median(ds):.0f} p90 {np.quantile(ds,.9):.0f}",flush=True)
if __name__=="__main__":
    kw=eval("dict(%s)"%(sys.argv[1] if len(sys.argv)>1 else ""))
    Ts=[float(v) for v in (sys.argv[2] if len(sys.argv)>2 else "2000").split(",")]
    for T in Ts:
      for phi in (0,.3,.6,.9):
        for t4 in (False,True):
          for n in (30,100,300):
            t=time.time(); cell(T,phi,t4,n,200,8 if T<1e4 else 1,**kw)
