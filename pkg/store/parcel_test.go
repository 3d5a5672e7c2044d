package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func anArrival(t testing.TB, guid, body string) *arrival {
	d := deployment.Deployment{Request: deployment.Request{ID: 9, Ref: "main"}, State: deployment.Waiting}
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}

	return &arrival{
		del: deployment.Delivery{
			GUID:         guid,
			Event:        "deployment",
			Source:       "github",
			RepositoryID: 7,
			DeploymentID: 9,
			ReceivedAt:   time.UnixMicro(5).UTC(),
			Body:         []byte(body),
		},
		d:     d,
		data:  data,
		notes: []deployment.Entry{{At: time.UnixMicro(6).UTC(), Event: "note", Detail: "a"}},
	}
}

func TestParcel(t *testing.T) {
	large := strings.Repeat("x", maxParcel/2)
	var list []*arrival
	for _, body := range []string{"", "{}", large, large, large, strings.Repeat("y", maxPacked+1), "{}"} {
		list = append(list, anArrival(t, "guid of "+body[:min(len(body), 3)], body))
	}

	var got []*arrival
	var sizes []int
	err := inParcels(list, func(sealed []byte, held []*arrival) error {
		back, err := unseal(bytes.Clone(sealed))
		got, sizes = append(got, back...), append(sizes, len(held))
		return err
	})

	if err != nil {
		t.Fatal(err)
	}
	if want := []int{3, 1, 1, 1, 1}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("parcels of %v, not %v", sizes, want)
	}

	for i, a := range got {
		if a.del.Body = append([]byte{}, a.del.Body...); !reflect.DeepEqual(*a, *list[i]) {
			t.Errorf("number %d came out as %+v", i, *a)
		}
	}
}

// FuzzUnseal: what the database gives back may be anything, and costs no more memory than it has.
func FuzzUnseal(f *testing.F) {
	p := new(parcel)
	sealed, _, err := p.seal([]*arrival{anArrival(f, "guid", "{}"), anArrival(f, "other", strings.Repeat("body", 50))})
	if err != nil {
		f.Fatal(err)
	}

	for _, seed := range [][]byte{
		nil,
		{0},
		{1},
		{2},
		bytes.Clone(sealed),
		bytes.Clone(p.plain),
		{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		{1, 255, 255, 255, 127},
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, sealed []byte) {
		list, err := unseal(sealed)
		if err != nil && list != nil {
			t.Errorf("%d deliveries, %v", len(list), err)
		}

		for _, a := range list {
			if !json.Valid(a.data) {
				t.Error("a deployment that is no JSON")
			}
		}
	})
}

func TestPack(t *testing.T) {
	body := []byte(strings.Repeat(`{"deployment":1}`, 500))
	packed, err := pack(body)
	if err != nil || len(packed) > len(body)/5 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}

	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, body) {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}

	giant := bytes.Repeat([]byte("x"), maxPacked+1)
	if packed, err := pack(giant); err != nil || &packed[0] != &giant[0] {
		t.Errorf("a giant was copied, %v", err)
	}
}

// A crowd fades: who comes one by one is none. Of those who come together, few are one.
func TestCrowd(t *testing.T) {
	c := crowd{most: aCrowd}
	for came := 0; came < aCrowd-aThrong; came += aThrong - 1 {
		if c.add(aThrong - 1) {
			t.Errorf("%d are a crowd", came+aThrong-1)
		}
	}

	if c.is() || !c.near() {
		t.Error("too few are a crowd, or many are not near it")
	}

	for range 2 * aCrowd / aThrong {
		c.add(aThrong - 1)
	}

	if !c.is() {
		t.Error("a crowd is none")
	}

	c.at = c.at.Add(-time.Second)
	if c.is() || c.near() || c.add(1) {
		t.Error("a crowd does not fade")
	}
	if !c.add(aThrong) || c.near() {
		t.Error("a throng is no crowd, or many")
	}

	c.until = time.Now().Add(-time.Nanosecond)
	if c.is() {
		t.Error("a throng stays a crowd")
	}
}

// The porter stands back for a crowd, but not for ever.
func TestPorterStandsBack(t *testing.T) {
	b := freshSQLite(t)
	b.porter.crowd.most, b.porter.patience = -1, 300*time.Millisecond
	rung := b.started()
	began := time.Now()
	if duplicate, err := b.arrive("guid-1", 1); duplicate || err != nil {
		t.Fatal(duplicate, err)
	}

	<-rung
	if took := time.Since(began); took < b.porter.patience {
		t.Errorf("it stood back for %v only", took)
	}
}
