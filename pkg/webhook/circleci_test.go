package webhook

import (
	"testing"
)

func TestParseCircleCI(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		want  CircleCIEvent
		fails bool
	}{
		"workflow": {
			body: `{"id":"e-1","type":"workflow-completed","pipeline":{"id":"p-1","number":1},"project":{"id":"q-1"},"new":1}`,
			want: CircleCIEvent{ID: "e-1", Type: "workflow-completed", PipelineID: "p-1", ProjectID: "q-1"},
		},
		"test event": {
			body: `{}`,
		},
		"other types": {
			body: `{"id":1,"type":"a b","pipeline":[],"project":{"id":{}}}`,
		},
		"pipeline id is a path": {
			body: `{"pipeline":{"id":"../me"}}`,
		},
		"null": {
			body:  `null`,
			fails: true,
		},
		"array": {
			body:  `[]`,
			fails: true,
		},
		"not JSON": {
			body:  `{"id":`,
			fails: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCircleCI([]byte(c.body))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if (err != nil) != c.fails {
				t.Errorf("error: got %v, want one: %v", err, c.fails)
			}
		})
	}
}
