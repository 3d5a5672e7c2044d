package command

import (
	"context"
	"encoding/json"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// fakeHistory has successes, all with one payload.
type fakeHistory struct {
	successes []deployment.Success
	payload   string
	err       error
}

func (f *fakeHistory) Successes(context.Context, int64, string) ([]deployment.Success, error) {
	return f.successes, nil
}

func (f *fakeHistory) Payload(context.Context, deployment.Source, deployment.Success) (json.RawMessage, error) {
	return json.RawMessage(f.payload), f.err
}
