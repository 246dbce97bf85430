package baseline

// order keeps entities by when they were last used, apart for each namespace
// and for how long they have been known.
type order struct {
	spaces []*space
	at     map[uint64]int
}

// The segments: entities seen once, more often, and those that are established.
const (
	once = iota
	often
	settled
	segments
)

// space is the entities of one namespace.
type space struct {
	id    uint64
	lists [segments]list
	n     int
}

// maxSpaces is how many namespaces are kept apart; more of them share.
const maxSpaces = 256

type link struct {
	older, newer *Entity
	space        int32
	segment      uint8
}

type list struct {
	oldest, newest *Entity
	n              int
}

func (l *list) push(e *Entity) {
	e.older, e.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
	l.n++
}

func (l *list) cut(e *Entity) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		l.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		l.newest = e.older
	}
	e.older, e.newer = nil, nil
	l.n--
}

// index is the place of a namespace.
func (o *order) index(id uint64) int {
	if i, ok := o.at[id]; ok {
		return i
	}
	if len(o.spaces) >= maxSpaces {
		return int(id % maxSpaces) // #nosec G115 -- bounded
	}
	if o.at == nil {
		o.at = map[uint64]int{}
	}
	o.at[id] = len(o.spaces)
	o.spaces = append(o.spaces, &space{id: id})
	return len(o.spaces) - 1
}

func (o *order) add(e *Entity) {
	s := o.spaces[e.space]
	s.lists[e.segment].push(e)
	s.n++
}

func (o *order) remove(e *Entity) {
	s := o.spaces[e.space]
	s.lists[e.segment].cut(e)
	s.n--
}

// move puts an entity at the end of the list of a segment.
func (o *order) move(e *Entity, segment uint8) {
	lists := &o.spaces[e.space].lists
	lists[e.segment].cut(e)
	e.segment = segment
	lists[segment].push(e)
}

// newcomers is the part of the room that is for entities of each of the lower
// segments: without any, nobody new would stay until it is seen again.
const newcomers = 10

// least is the entity that is missed least: of the lowest segment that has more
// than its part, and there of the namespace that has most.
func (o *order) least() *Entity {
	var n [segments]int
	all := 0
	for _, s := range o.spaces {
		for segment := range segments {
			n[segment] += s.lists[segment].n
			all += s.lists[segment].n
		}
	}
	segment := lowest(n, all)
	var most *space
	for _, s := range o.spaces {
		if s.lists[segment].n > 0 && (most == nil || s.lists[segment].n > most.lists[segment].n) {
			most = s
		}
	}
	if most == nil {
		return nil
	}
	return most.lists[segment].oldest
}

// lowest is the segment that has to give way.
func lowest(n [segments]int, all int) int {
	for segment := range settled {
		if n[segment]*newcomers > all || n[segment] > 0 && n[segment] == all {
			return segment
		}
	}
	for segment := segments - 1; segment > 0; segment-- {
		if n[segment] > 0 {
			return segment
		}
	}
	return once
}

// least is the entity of a namespace that is missed least.
func (s *space) least() *Entity {
	var n [segments]int
	for segment := range segments {
		n[segment] = s.lists[segment].n
	}
	return s.lists[lowest(n, s.n)].oldest
}

// all gives the entities of each list, the longest unused first.
func (o *order) all(yield func(*Entity) bool) {
	for _, s := range o.spaces {
		for i := range s.lists {
			for e := s.lists[i].oldest; e != nil; e = e.newer {
				if !yield(e) {
					return
				}
			}
		}
	}
}
