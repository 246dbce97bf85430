package limit

import (
	"container/list"
	"time"
)

// maxClients bounds how many clients are remembered. The one that was seen
// longest ago is forgotten first, and with it what it owes; the bounds of the
// source hold all the same.
const maxClients = 4096

// activeTime is how long a client counts as one after its last request.
const activeTime = 10 * time.Second

// client is what one client has of the buckets.
type client struct {
	name          string
	events, bytes bucket
	seen          time.Time
}

// clients are those that were seen, the last one first.
type clients struct {
	order   *list.List
	byName  map[string]*list.Element
	active  int
	counted time.Time
}

func newClients() *clients {
	return &clients{order: list.New(), byName: map[string]*list.Element{}, active: 1}
}

// get finds a client, or makes one, and brings its buckets up to date.
func (s *clients) get(name string, l *Limiter, now time.Time) *client {
	el, ok := s.byName[name]
	if ok {
		s.order.MoveToFront(el)
	} else {
		if s.order.Len() >= maxClients {
			last := s.order.Back()
			delete(s.byName, last.Value.(*client).name)
			s.order.Remove(last)
		}
		el = s.order.PushFront(&client{name: name})
		s.byName[name] = el
	}
	c := el.Value.(*client)
	c.seen = now
	if !ok || now.Sub(s.counted) >= time.Second {
		s.count(now)
	}
	n := float64(s.active)
	resize(&c.events, &l.events, n, now, ok)
	resize(&c.bytes, &l.bytes, n, now, ok)
	return c
}

// resize makes a part what it is among n clients: of the rate, and of the half
// of the bucket that is shared out.
func resize(part, all *bucket, n float64, now time.Time, known bool) {
	rate, most := all.rate/n, all.most/2/n
	if !known {
		*part = newBucket(rate, most, now)
		return
	}
	part.rate, part.most = rate, most
	part.fill(now)
}

// count counts the active clients.
func (s *clients) count(now time.Time) {
	s.counted, s.active = now, 0
	for el := s.order.Front(); el != nil && now.Sub(el.Value.(*client).seen) < activeTime; el = el.Next() {
		s.active++
	}
	s.active = max(s.active, 1)
}
