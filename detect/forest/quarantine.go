package forest

import "time"

// quarantine keeps rows that were findings, or that a person marked, until
// somebody knows better. They are not learned.
type quarantine struct {
	room  int
	held  []Held
	spilt uint64
}

// Held is a row in quarantine.
type Held struct {
	// ID is what Hold was given.
	ID uint64
	// Row, Principal and At are what Add would have been given.
	Row       []float64
	Principal uint64
	At        time.Time
}

func newQuarantine(room int) quarantine { return quarantine{room: room} }

// Hold keeps a row out of what is learned until Release or Drop says of its id
// what becomes of it. When there is no more room the oldest is dropped, and
// counted by Spilt. A second row of the same id replaces the first.
func (q *quarantine) Hold(id uint64, row []float64, principal uint64, at time.Time) {
	q.Drop(id)
	if len(q.held) == q.room {
		q.held = append(q.held[:0], q.held[1:]...)
		q.spilt++
	}
	q.held = append(q.held, Held{id, append([]float64(nil), row...), principal, at})
}

// Drop forgets a row in quarantine for good: it was an attack. It says whether
// there was one.
func (q *quarantine) Drop(id uint64) bool {
	i := q.find(id)
	if i >= 0 {
		q.held = append(q.held[:i], q.held[i+1:]...)
	}
	return i >= 0
}

// Held are the rows in quarantine, the longest there first. They are not to be
// changed, and stand until the next call.
func (q *quarantine) Held() []Held { return q.held }

// Spilt is how many rows were dropped because there were too many.
func (q *quarantine) Spilt() uint64 { return q.spilt }

func (q *quarantine) find(id uint64) int {
	for i := range q.held {
		if q.held[i].ID == id {
			return i
		}
	}
	return -1
}

// Release learns a row in quarantine after all: it was no attack. It says
// whether there was one.
func (r *Rolling) Release(id uint64) bool {
	i := r.find(id)
	if i < 0 {
		return false
	}
	h := r.held[i]
	r.Drop(id)
	r.Add(h.Row, h.Principal, h.At)
	return true
}
