package webhook

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFastDecode compares the fast decoder with encoding/json.
func FuzzFastDecode(f *testing.F) {
	for _, s := range []string{
		full,
		small,
		"null",
		"[]",
		`{"a":{}}`,
		`{"Action":"created","ACTION":null,"deployment":{"Id":1,"id":2,"\u0049D":3},` +
			`"deployment":{"creator":{"login":"a","x":{"login":"b"}}}}`,
		`{"deployment":5,"repository":[{"id":1}]}`,
		`{"deployment":null,"workflow_run":{"deep":[[[]]]},"deployment_status":[]} `,
		`{"deployment":{"id":01}}`,
		`{"deployment":{"payload":{"a" : "\ud800"},"taſK":"a"}}`,
		`{"action":"deleted","action":null}`,
		`{"deployment":{"description":"\ud800\n","task":"a\"b"}}`,
		`{"deployment":{"payload":` + strings.Repeat("[", maxFastDepth+1) + strings.Repeat("]", maxFastDepth+1) + `}}`,
		`{"other":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) {
			return // ParseDeployment rejects it before
		}

		var slow, fast event
		slowErr, fastErr := decode(body, &slow), decodeEvent(body, &fast)
		if fmt.Sprint(slowErr) != fmt.Sprint(fastErr) || !reflect.DeepEqual(slow, fast) {
			t.Errorf("encoding/json: %v, %+v, fast decoder: %v, %+v", slowErr, slow, fastErr, fast)
		}
	})
}
