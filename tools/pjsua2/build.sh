#!/usr/bin/env bash
# A wheel of pjsua2 from pjproject's sources, against the system's OpenSSL, with Opus, IPv6 and 32 calls a process.
#
#   tools/pjsua2/build.sh SOURCE OUT [PYTHON]
#
# SOURCE is a source tree of pjproject (2.15 or newer) or a git repository of it; nothing is written there. OUT gets the wheel. PYTHON is the
# interpreter that the wheel is for; without it, the project's own. On Debian: apt-get install g++ make swig libssl-dev libopus-dev uuid-dev python3-dev.
# docs/phones.md says what the wheel changes. The sources are GPL-2.0-or-later, and so is the wheel.
set -euo pipefail

usage() { echo "usage: tools/pjsua2/build.sh SOURCE OUT [PYTHON]" >&2; exit 2; }
[ $# -ge 2 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$1" 2>/dev/null && pwd) || { echo "$1: no such directory; allowed: pjproject's source tree or git repository" >&2; exit 2; }
mkdir -p "$2" && out=$(cd "$2" && pwd)
uv="$here/../../.uv/bin/uv"
[ -x "$uv" ] || { echo "$uv: not there; make .venv/.ready brings it" >&2; exit 2; }
python=${3:-$here/../../.venv/bin/python}
python=$(realpath -s "$(command -v "$python")") || { echo "$python: no such program; allowed: a Python interpreter" >&2; exit 2; }
for program in g++ make swig; do
    command -v "$program" >/dev/null || { echo "$program: not there; apt-get install g++ make swig" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -e "$source/version.mak" ]; then
    cp -r "$source/." "$work"
elif git --git-dir="$source" cat-file -e HEAD:version.mak 2>/dev/null; then
    git --git-dir="$source" archive HEAD | tar -x -C "$work"
else
    echo "$source: no version.mak in it; allowed: pjproject's source tree or git repository" >&2
    exit 2
fi

# What the harness wants of the stack, and why, stands beside each setting.
cp "$here/config_site.h" "$work/pjlib/include/pj/config_site.h"
cd "$work"
log="$out/build.log"
{
    CFLAGS="-O2 -fPIC -DNDEBUG" CXXFLAGS="-O2 -fPIC -DNDEBUG" ./configure --disable-video --disable-sound --disable-libwebrtc \
        --disable-libyuv --disable-sdl --disable-ffmpeg --disable-v4l2 --disable-openh264 --disable-vpx --disable-silk \
        --disable-bcg729 --disable-opencore-amr --disable-upnp
    make dep
    make -j"$(nproc)" lib
    make -C pjsip-apps/src/swig/python pjsua2_wrap.cpp
} >"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "the build failed; all of it: $log" >&2; exit 1; }
for wanted in PJ_HAS_SSL_SOCK PJMEDIA_HAS_OPUS_CODEC; do
    grep -qrE "define $wanted +1" pjlib/include/pj/compat/os_auto.h pjmedia/include/pjmedia-codec/config_auto.h ||
        { echo "$wanted: not found by configure; apt-get install libssl-dev libopus-dev; all of it: $log" >&2; exit 1; }
done

cd pjsip-apps/src/swig/python
cp "$here/setup.py" setup.py
"$uv" build --quiet --wheel --python "$python" --out-dir "$out" . >>"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; echo "the wheel failed; all of it: $log" >&2; exit 1; }
ls "$out"/pjsua2_python-*.whl
