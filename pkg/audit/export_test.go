package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// A third party can recompute hashes from the export with nothing but the package's comment.
func TestExportIsEnough(t *testing.T) {
	s := chain(3)
	s.add(deployment.AuditEvent{At: time.Unix(0, 0), Environment: "<ü\u2028>", Detail: []byte(`{"a":"é\n"}`)})
	var out bytes.Buffer
	if err := Export(t.Context(), s, &out); err != nil {
		t.Fatal(err)
	}

	prev := strings.Repeat("0", 64)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, text := range lines {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		x := map[string]any{}
		if err := dec.Decode(&x); err != nil {
			t.Fatal(err)
		}

		sum := "12:seraph audit,"
		for name := range strings.FieldsSeq("version seq at kind door actor_id actor_login actor_app actor_token repository_id repository environment deployment detail prev") {
			v := fmt.Sprint(x[name])
			sum += fmt.Sprintf("%d:%s,", len(v), v)
		}

		if hash := fmt.Sprintf("%x", sha256.Sum256([]byte(sum))); hash != x["hash"] || x["prev"] != prev ||
			hash != s.records[i].Hash {
			t.Errorf("line %d: %s is not %s", i+1, hash, x["hash"])
		}

		prev = fmt.Sprint(x["hash"])
	}

	if len(lines) != 4 || !strings.Contains(lines[0], `"at":"2026-11-22T12:00:01.123456Z"`) ||
		!strings.Contains(lines[0], `"detail":"{\"n\":1}"`) ||
		!strings.Contains(lines[3], `"<ü`) {
		t.Errorf("exported %s", lines)
	}
}

func TestParseLineRefuses(t *testing.T) {
	good, err := encodeLine(chain(1).records[0])
	if err != nil {
		t.Fatal(err)
	}

	for name, text := range map[string]string{
		"nothing": "", "more": string(good) + "{}", "another field": strings.Replace(string(good), "{", `{"x":1,`, 1),
		"time in a zone": strings.Replace(string(good), "123456Z", "123456+01:00", 1), "time too exact": strings.Replace(string(good), "123456Z", "1234567Z", 1),
	} {
		if _, err := ParseLine([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// What is read from a line gives the same line back, however it came to be.
func FuzzParseLine(f *testing.F) {
	for _, r := range chain(2).records {
		text, _ := encodeLine(r)
		f.Add(text)
	}

	f.Add([]byte(`{"version":1,"seq":1,"at":"0000-01-01T00:00:00.000000Z","kind":"\ud800"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseLine(text)
		if err != nil {
			return
		}

		line, err := encodeLine(r)
		if err != nil {
			t.Fatal(err)
		}

		back, err := ParseLine(line)
		if err != nil || back.sum() != r.sum() || back.Hash != r.Hash || back.line() != r.line() {
			t.Errorf("%s became %s, %v", text, line, err)
		}
	})
}

// FuzzSeal: whatever people write, the chain holds, and its export gives it back.
func FuzzSeal(f *testing.F) {
	f.Add("ada", "production", []byte(`{}`), int64(0))
	f.Add("\xff", "\x00", []byte("\x00\xc0"), int64(-1))
	f.Fuzz(func(t *testing.T, login, environment string, detail []byte, us int64) {
		us %= 60_000_000_000_000_000 // within the years that RFC 3339 has
		s := chain(1)
		s.add(deployment.AuditEvent{
			At:          time.UnixMicro(us),
			Actor:       deployment.Actor{Login: login},
			Environment: environment,
			Detail:      detail,
		})

		line, err := encodeLine(s.records[1])
		if err != nil {
			t.Fatal(err)
		}

		r, err := ParseLine(line)
		if err != nil || r.sum() != r.Hash || r.line() != s.records[1].line() {
			t.Errorf("%s: %v", line, err)
		}
		if _, err := Verify(t.Context(), s, nil); err != nil {
			t.Error(err)
		}
	})
}
