# Sourced by the scripts beside it.

# find_peers SYSTEMS: sets peers to the peers' folder, built in a copy where theirs is not built already.
find_peers() {
  local source
  source=$(cd "${MAINSTEM_PEERS:-../../shared/peers}" && pwd)
  peers=$source
  if [ ! -x "$peers/load/load" ] || { [[ $1 == *kafka* ]] && [ ! -d "$peers/target/lib" ]; }; then
    peers=$PWD/out/peers
    if [ ! -x "$peers/load/load" ] || [ ! -d "$peers/target/lib" ]; then
      mkdir -p "$peers"
      cp -R "$source/." "$peers/"
      chmod -R u+w "$peers"
      (cd "$peers" && ./build.sh) >&2
    fi
  fi
}
