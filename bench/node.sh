# Sourced by the scripts beside it, which set scratch and port. node is the pid of the node that runs.

end() { # end PID: waits, too
  kill "$1"
  while kill -0 "$1" 2> /dev/null; do sleep 0.05; done
}

# start_node [WORKLOAD [FLAG...]]: a new node without a pipeline; go starts it.
start_node() {
  rm -rf "$scratch/data"
  launch_node "$@"
}

# launch_node [WORKLOAD [FLAG...]]: the same with the data that is there.
launch_node() {
  local workload=${1:-payments}
  shift || true
  rm -f "$scratch/in" "$scratch/node.out"
  : > "$scratch/node.out"
  mkfifo "$scratch/in"
  exec 7<> "$scratch/in"
  "$scratch/bin/node" -data "$scratch/data" -kafka "127.0.0.1:$port" -workload "$workload" "$@" < "$scratch/in" > "$scratch/node.out" 2>&1 7>&- &
  node=$!
  await ready
}

await() { # await WORD: until the node prints it
  until grep -q "^$1" "$scratch/node.out"; do
    kill -0 "$node" || { cat "$scratch/node.out" >&2; exit 1; }
    sleep 0.02
  done
}

stop_node() {
  end "$node"
  wait "$node" || { cat "$scratch/node.out" >&2; exit 1; }
  node=
  exec 7>&-
}
