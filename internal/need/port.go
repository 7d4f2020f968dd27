package need

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Listen listens on addr, or without one on a free loopback port below those that systems give to outgoing connections. A server that is to come
// back at its address needs such a port: a client that tries to connect meanwhile could be given any other. Tests that give ports to child
// processes take those above.
func Listen(addr string) (net.Listener, error) {
	if addr != "" {
		return net.Listen("tcp", addr)
	}
	const low, ports = 12000, 4000
	for i := os.Getpid(); ; i++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", low+i%ports))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
}
