package bus

import (
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a caller can act on; compare with [errors.Is].
var (
	// ErrExists: the subject already has a record, so it was not created.
	ErrExists = errors.New("already exists")
	// ErrConflict: somebody else wrote first. Nothing was stored; read again.
	ErrConflict = errors.New("written by another")
	// ErrUnknown: no answer came, and the record may or may not be stored.
	// Read the subject and compare the record's nonce.
	ErrUnknown = errors.New("outcome unknown")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: there is a record, but it is not what was written.
	ErrDamaged = errors.New("content does not match its hash")
	// ErrTooLarge: the message is larger than the stream takes.
	ErrTooLarge = errors.New("too large")
	// ErrFull: the disk of the embedded server has no room for it, or could
	// not be written. Nothing was stored; the store recovers by itself.
	ErrFull = errors.New("no room")
	// ErrUnread: EVENTS has no room, and nothing in it that was read, so that
	// room could be made of it. Nothing was stored.
	ErrUnread = errors.New("full of what is not read yet")
	// ErrLocked: another process has the data directory open.
	ErrLocked = errors.New("data directory is in use by another process")
	// ErrClosed: the bus or the reader was closed.
	ErrClosed = errors.New("closed")
)

// notSent lists the errors of the client after which it is certain that
// nothing left this process.
var notSent = []error{
	nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrBadSubject,
	nats.ErrInvalidConnection, nats.ErrHeadersNotSupported, nats.ErrConnectionDraining,
}

// outcome says what an error of a publish means for the record.
func outcome(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return join(ErrTooLarge, err)
	}
	for _, e := range notSent {
		if errors.Is(err, e) {
			return err
		}
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch {
		case api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence,
			api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			return join(ErrConflict, err)
		case isFull(err):
			return join(ErrUnread, err)
		case api.ErrorCode == codeTooLarge:
			return join(ErrTooLarge, err)
		case api.Code >= 400 && api.Code < 500:
			return err
		}
	}
	// No answer, or the server failed while storing.
	return join(ErrUnknown, err)
}

// codeTooLarge is the server's "message size exceeds maximum allowed".
const codeTooLarge = 10054

// joined reads as its cause and is both.
type joined struct{ kind, cause error }

func join(kind, cause error) error { return joined{kind, cause} }

func (j joined) Error() string   { return j.kind.Error() + ": " + j.cause.Error() }
func (j joined) Unwrap() []error { return []error{j.kind, j.cause} }
