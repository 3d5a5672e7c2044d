package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// healthTimeout bounds the question to the service.
const healthTimeout = 5 * time.Second

func (p *program) healthCommand() *command {
	return &command{
		name:  "health",
		short: "ask a running service whether it is ready",
		long: "Ask the service at SERAPH_API_URL whether it is ready; no token is needed. This is for health\n" +
			"checks in the container, where no other program can ask.",
		example: "seraph health",
		run:     func(ctx context.Context, _ []string) error { return p.health(ctx) },
	}
}

func (p *program) health(ctx context.Context) error {
	base, err := config.LoadAPIURL()
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("readyz").String(), nil)
	if err != nil {
		return err
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}

	defer func() { _ = response.Body.Close() }()

	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not ready: %s %s", response.Status, strings.TrimSpace(string(body)))
	}

	_, err = fmt.Fprintln(p.stdout, strings.TrimSpace(string(body)))
	return err
}
