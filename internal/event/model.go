package event

import "time"

// ModelState is what there is to say of a model that runs.
type ModelState struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Features are what it measures, those that explained most of what was found
	// first.
	Features []ModelFeature `json:"features"`
	// Measured are the events or intervals so far, Since the time of the first,
	// Last that of the last.
	Measured uint64    `json:"measured"`
	Since    time.Time `json:"since,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	// Missing and MissingTime (nanoseconds) are what has to be measured yet before
	// it finds anything: nothing when it is ready.
	Missing     int           `json:"missing"`
	MissingTime time.Duration `json:"missing_time"`
	Ready       bool          `json:"ready"`
	// Entities and Groups are what it remembers, in about so many Bytes; Evicted
	// made room, Late came when their interval was over.
	Entities int    `json:"entities"`
	Groups   int    `json:"groups"`
	Bytes    int    `json:"bytes"`
	Evicted  uint64 `json:"evicted"`
	Late     uint64 `json:"late"`
	// Trees are those of the forest, Anchors how many of them stand still until
	// somebody approves, Rows how many of Reservoir it learns from, of so many
	// Principals.
	Trees      int `json:"trees"`
	Anchors    int `json:"anchors"`
	Rows       int `json:"rows"`
	Reservoir  int `json:"reservoir"`
	Principals int `json:"principals"`
	// Moved is how far the scores of fixed probes have moved since the model was
	// approved, or first full.
	Moved float64 `json:"moved"`
	// NeedP is the p that a finding needs now, Threshold about which score that is.
	NeedP     float64     `json:"need_p"`
	Threshold float64     `json:"threshold"`
	Budget    ModelBudget `json:"budget"`
	// Quarantined are rows that are not learned yet, Waiting how many findings of
	// those have no verdict, Spilt how many rows were dropped for want of room.
	Quarantined int    `json:"quarantined"`
	Waiting     int    `json:"waiting"`
	Spilt       uint64 `json:"spilt"`
	// Silent is how many entities are nearly always there and all silent since
	// SilentSince: then it is likely that their source is. 0 when something comes of
	// any of them, and of models that don't look for who is silent.
	Silent      int       `json:"silent,omitempty"`
	SilentSince time.Time `json:"silent_since,omitzero"`
	// Pinned says that it learns no more.
	Pinned bool `json:"pinned"`
	// Anew says what became of people's decisions when the model could not go on
	// with what it had learned: nil when it could, and once that is history.
	Anew *ModelAnew `json:"anew,omitempty"`
	// Said is what the last verdicts changed, for people.
	Said []string `json:"said,omitempty"`
}

// ModelAnew is a model that began anew: what it had learned was of another form,
// or of a model that measured something else.
type ModelAnew struct {
	// Since is when it began anew.
	Since time.Time `json:"since"`
	// Kept is what people decided that still holds, Gone what does not, for people.
	Kept []string `json:"kept,omitempty"`
	Gone []string `json:"gone,omitempty"`
	// Unpinned says that it was pinned and learns all the same, since there is
	// nothing left to judge by. It stays until somebody pins or unpins the model.
	Unpinned bool `json:"unpinned,omitempty"`
}

// ModelFeature is one number that a model measures.
type ModelFeature struct {
	Name string `json:"name"`
	// Named is how many findings it counted most in, Share its part of what
	// explained all of them.
	Named uint64  `json:"named"`
	Share float64 `json:"share"`
}

// ModelBudget is what a model may find, and what became of its scores since the
// beginning.
type ModelBudget struct {
	// PerDay, P and Contamination are the document's: one of them, or none where
	// its threshold decides alone.
	PerDay        float64 `json:"per_day,omitempty"`
	P             float64 `json:"p,omitempty"`
	Contamination float64 `json:"contamination,omitempty"`
	// Rate is how many alerts a day there were so far.
	Rate float64 `json:"rate"`
	// Scores were judged, Found were found, Held would have been and were too
	// many, Helped were found because a rule matched.
	Scores uint64 `json:"scores"`
	Found  uint64 `json:"found"`
	Held   uint64 `json:"held"`
	Helped uint64 `json:"helped"`
	// True and False are verdicts.
	True  uint64 `json:"true"`
	False uint64 `json:"false"`
}
