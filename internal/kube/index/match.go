package index

import "time"

// By says how a pod was found, which is how sure the answer is: a UID and a
// container id name one pod for ever; a name and an address are handed on, and
// were this pod's at the time that was asked about.
type By string

// How a pod is found.
const (
	ByUID       By = "uid"
	ByContainer By = "container"
	ByName      By = "name"
	ByAddress   By = "address"
)

var ways = [...]By{ByUID, ByContainer, ByName, ByAddress}

// Match is the answer to a question for a pod.
type Match struct {
	// Pod is nil when there is no answer.
	Pod *Pod
	By  By
	// Container is the one whose id was asked for, else nil.
	Container *Container
	// Gone is when the pod was seen to be no more; zero while it is there.
	Gone time.Time
	// Ambiguous says that there is no answer because several pods could be
	// meant.
	Ambiguous bool
}

// skew is how far the clocks of nodes and of the API server may be apart.
const skew = 5 * time.Second
