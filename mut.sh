# mut.sh file python-replace-old new
cd /tmp/build-ovr-mut
f=src/$1; cp $f /tmp/build-ovr-mut/save
python3 - "$f" "$2" "$3" <<'P'
import sys
f,o,n=sys.argv[1:]
s=open(f).read(); assert o in s,(o); open(f,'w').write(s.replace(o,n,1))
P
echo "== $1: $2 -> $3"
ninja -C b tests/unit/worker/worker_{clock,idle,handover,worker,thread}_test 2>&1 | grep -E "error" | head -5
for t in clock idle handover worker thread; do timeout 60 b/tests/unit/worker/worker_${t}_test 2>&1 | grep "^\[  FAILED  \] [a-z_]*$"|sort -u; [ ${PIPESTATUS[0]} = 124 ] && echo timeout $t; done
cp save $f
