package window

// order keeps groups by when they were last used, in two lists: those of one
// event, and those of more. The ones of a single event go first.
type order struct {
	once, often list
}

// link is a group's place in its list.
type link struct {
	older, newer *group
	often        bool
}

type list struct {
	oldest, newest *group
	n              int
}

func (l *list) push(g *group) {
	g.older, g.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = g
	} else {
		l.oldest = g
	}
	l.newest = g
	l.n++
}

func (l *list) cut(g *group) {
	if g.older != nil {
		g.older.newer = g.newer
	} else {
		l.oldest = g.newer
	}
	if g.newer != nil {
		g.newer.older = g.older
	} else {
		l.newest = g.older
	}
	g.older, g.newer = nil, nil
	l.n--
}

func (o *order) of(g *group) *list {
	if g.often {
		return &o.often
	}
	return &o.once
}

func (o *order) add(g *group) { o.once.push(g) }

// touch says that a group was used.
func (o *order) touch(g *group) {
	o.of(g).cut(g)
	g.often = g.events > 1
	o.of(g).push(g)
}

func (o *order) remove(g *group) { o.of(g).cut(g) }

// least is the group that is missed least. Where hardly any group has only one
// event, a new one would be pushed out before its second: then the oldest of
// the others goes.
func (o *order) least() *group {
	if o.once.n > 0 && o.once.n*minOnce >= o.often.n || o.often.n == 0 {
		return o.once.oldest
	}
	return o.often.oldest
}

// minOnce is how many groups of more events there may be for one of a single
// event.
const minOnce = 10

// stale is a group that was last used before a pane, if there is one at the
// end of a list.
func (o *order) stale(oldest int64) *group {
	for _, l := range []*list{&o.once, &o.often} {
		if l.oldest != nil && l.oldest.newest < oldest {
			return l.oldest
		}
	}
	return nil
}
