# Sourced by .ci/run and .ci/nightly: goes to the repository's root and builds the environment, with python3 and make by apt.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Debian's python3 comes without its venv module.
if { ! python3 -c 'import ensurepip, venv' 2>/dev/null || ! command -v make >/dev/null; } && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -qq -y --no-install-recommends python3 python3-venv make
fi
make -s .venv/.developer || exit
