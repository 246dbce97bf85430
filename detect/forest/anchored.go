package forest

// Anchored is how many of the trees stand still until the next Approve: none
// before the first.
func (r *Rolling) Anchored() int { return r.anchors() }

// Trees is how many trees there are.
func (r *Rolling) Trees() int { return r.count }

// Reservoir is how many rows it may remember.
func (r *Rolling) Reservoir() int { return r.l.Reservoir }
