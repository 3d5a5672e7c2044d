package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// readToken reads a token from a file or from standard input. On a terminal it asks for it.
func (c *commands) readToken(file string) (string, error) {
	var text string
	var err error
	switch {
	case file != "" && file != "-":
		text, err = readTokenFile(file)
	default:
		text, err = c.readStdin()
	}
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}

	token := strings.TrimSpace(text)
	if token == "" {
		return "", config.Problems{"the token is empty: give one of the tokens in SERAPH_API_TOKENS of the service"}
	}
	if err := config.CheckAPIToken(token); err != nil {
		return "", config.Problems{fmt.Sprintf("the token %v", err)}
	}

	return token, nil
}

// readTokenFile reads the beginning of a file.
func readTokenFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read

	text, err := io.ReadAll(io.LimitReader(file, maxToken))
	return string(text), err
}

// readStdin reads one line. A terminal does not show it. A signal ends the reading.
func (c *commands) readStdin() (string, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)

	stdin, ok := c.o.Stdin.(*os.File)
	if ok && isTerminal(stdin) {
		fd := int(stdin.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return "", err
		}
		defer func() { _ = term.Restore(fd, before) }() // for the case of a signal

		_, _ = fmt.Fprint(c.o.Stderr, "token: ")
		defer func() { _, _ = fmt.Fprintln(c.o.Stderr) }()
		go func() {
			text, err := term.ReadPassword(fd)
			read <- result{text, err}
		}()
	} else {
		go func() {
			text, err := bufio.NewReader(io.LimitReader(c.o.Stdin, maxToken)).ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				err = nil // the last line needs no end
			}
			read <- result{text, err}
		}()
	}

	select {
	case r := <-read:
		return string(r.text), r.err
	case <-c.o.Interrupt:
		return "", errInterrupted
	}
}

// maxToken is how many bytes a token may have.
const maxToken = 8 << 10
