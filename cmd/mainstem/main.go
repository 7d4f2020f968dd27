// Command mainstem runs a node and works on Kafka clusters; see `mainstem help`.
package main

import (
	"os"

	"github.com/mainstemio/mainstem/internal/cli"
)

func main() { os.Exit(cli.Main()) }
