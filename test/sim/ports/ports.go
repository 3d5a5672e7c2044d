// Package ports gives tests ports for programs that are stopped and started again. No other test and no outgoing
// connection takes such a port while the program is down.
package ports

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// The ports are below those that Linux takes for outgoing connections and for port 0, which begin at 32768. A process
// owns blocks of them: it listens on the first port of each for as long as it runs.
const (
	firstPort = 20_000
	blockSize = 250
	blocks    = 48
)

var errNoBlock = errors.New("find a free port: other tests own every block of ports")

var (
	mu    sync.Mutex
	owned []net.Listener // keeps the blocks of this process
	next  int            // the next port of the last block
	left  int            // how many ports of the last block are left
)

// Free returns an address of 127.0.0.1 on which nothing listens. No other call returns it, in this process or in
// another one that runs at the same time.
func Free() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	for {
		if left == 0 {
			if err := ownBlock(); err != nil {
				return "", err
			}
		}

		addr := address(next)
		next, left = next+1, left-1
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
}

// ownBlock takes a block that no process owns. Processes begin their search at different blocks.
func ownBlock() error {
	for i := range blocks {
		port := firstPort + (os.Getpid()+i)%blocks*blockSize
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		owned = append(owned, l)
		next, left = port+1, blockSize-1
		return nil
	}
	return errNoBlock
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
