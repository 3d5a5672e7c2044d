package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// What stands before a parcel's content: whether it is packed. One that holds a body of many
// megabytes is not: there shall be no second copy of it.
const (
	parcelPlain  = 0
	parcelPacked = 1
)

const (
	maxParcel = 256 << 10 // what one parcel holds, unless a single delivery is larger
	maxPacked = 1 << 20   // the largest body, or parcel, that is packed
)

// head is what a parcel says of a delivery, before its deployment and its body.
type head struct {
	GUID         string             `json:"guid"`
	Event        string             `json:"event"`
	Source       string             `json:"source"`
	RepositoryID int64              `json:"repository_id"`
	DeploymentID int64              `json:"deployment_id"`
	ReceivedAt   int64              `json:"received_at"`
	Notes        []deployment.Entry `json:"notes,omitempty"`
}

// parcel is memory in which one is packed. It is used again.
type parcel struct{ plain, packed []byte }

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// seal puts the first n of a list into a parcel: as many as fit, but at least one. What it gives is
// good until it is called again.
func (p *parcel) seal(list []*arrival) (sealed []byte, n int, err error) {
	p.plain = append(p.plain[:0], parcelPlain)
	for ; n < len(list) && (n == 0 || len(p.plain)+list[n].size() <= maxParcel); n++ {
		if err := p.add(list[n]); err != nil {
			return nil, 0, err
		}
	}

	if len(p.plain) > maxPacked {
		return p.plain, n, nil
	}
	if most := 1 + s2.MaxEncodedLen(len(p.plain)); cap(p.packed) < most {
		p.packed = make([]byte, most)
	}

	p.packed = p.packed[:cap(p.packed)]
	p.packed[0] = parcelPacked
	return p.packed[:1+len(s2.Encode(p.packed[1:], p.plain[1:]))], n, nil
}

// inParcels seals a list into as many parcels as it needs, and gives each to put, with what it
// holds.
func inParcels(list []*arrival, put func(sealed []byte, held []*arrival) error) error {
	p := parcels.Get().(*parcel)
	defer p.free()
	for len(list) > 0 {
		sealed, n, err := p.seal(list)
		if err != nil {
			return err
		}
		if err := put(sealed, list[:n]); err != nil {
			return err
		}

		list = list[n:]
	}

	return nil
}

func (a *arrival) size() int { return len(a.data) + len(a.del.Body) }

func (p *parcel) add(a *arrival) error {
	h, err := json.Marshal(head{
		GUID:         a.del.GUID,
		Event:        a.del.Event,
		Source:       a.del.Source,
		RepositoryID: a.del.RepositoryID,
		DeploymentID: a.del.DeploymentID,
		ReceivedAt:   micros(a.del.ReceivedAt),
		Notes:        a.notes,
	})

	p.plain = append(binary.AppendUvarint(p.plain, uint64(len(h))), h...)
	p.plain = append(binary.AppendUvarint(p.plain, uint64(len(a.data))), a.data...)
	p.plain = append(binary.AppendUvarint(p.plain, uint64(len(a.del.Body))), a.del.Body...)
	return err
}

// free gives the memory back; that of a giant is left to the garbage collector.
func (p *parcel) free() {
	if cap(p.plain) <= 2*maxParcel {
		parcels.Put(p)
	}
}

var errParcel = errors.New("the parcel is damaged")

// unseal takes the deliveries out of a parcel.
func unseal(sealed []byte) ([]*arrival, error) {
	if len(sealed) == 0 || sealed[0] > parcelPacked {
		return nil, errParcel
	}

	content := sealed[1:]
	if sealed[0] == parcelPacked {
		if n, err := s2.DecodedLen(content); err != nil || n > maxPacked {
			return nil, errParcel
		}

		var err error
		if content, err = s2.Decode(nil, content); err != nil {
			return nil, errParcel
		}
	}

	var list []*arrival
	for len(content) > 0 {
		a, rest, err := takeOut(content)
		if err != nil {
			return nil, err
		}

		list, content = append(list, a), rest
	}

	return list, nil
}

func takeOut(content []byte) (*arrival, []byte, error) {
	var parts [3][]byte
	for i := range parts {
		n, width := binary.Uvarint(content)
		if width <= 0 || n > uint64(len(content)-width) {
			return nil, nil, errParcel
		}

		parts[i], content = content[width:width+int(n)], content[width+int(n):]
	}

	var h head
	if err := json.Unmarshal(parts[0], &h); err != nil {
		return nil, nil, errParcel
	}

	d, err := decode(0, 0, 0, parts[1])
	if err != nil {
		return nil, nil, errParcel
	}

	return &arrival{
		del: deployment.Delivery{
			GUID:         h.GUID,
			Event:        h.Event,
			Source:       h.Source,
			RepositoryID: h.RepositoryID,
			DeploymentID: h.DeploymentID,
			ReceivedAt:   at(h.ReceivedAt),
			Body:         parts[2],
		},
		d:     d,
		data:  parts[1],
		notes: h.Notes,
	}, content, nil
}
