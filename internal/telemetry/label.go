package telemetry

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/firebreak-io/firebreak/internal/event"
)

// other is the value of a label for everything outside its set.
const other = "other"

// Reasons for which input is rejected: the closed set of the label reason.
const (
	ReasonMalformed    = "malformed"
	ReasonTooLarge     = "too_large"
	ReasonTooDeep      = "too_deep"
	ReasonDuplicateKey = "duplicate_key"
	ReasonEncoding     = "encoding"
	ReasonUnsupported  = "unsupported"
	ReasonIncomplete   = "incomplete"
	ReasonText         = "plain_text"
	ReasonUnauthorized = "unauthorized"
	ReasonOverload     = "overload"
	ReasonLimited      = "limited"
	ReasonStore        = "store"
)

// Consumers of the streams: the closed set of the label consumer.
const (
	ConsumerDetect  = "detect"
	ConsumerRespond = "respond"
	ConsumerOutbox  = "outbox"
)

// How an attempt of a step ended, beside what [event.Result] says.
const (
	ResultConflict = "failed-conflict"
	ResultGone     = "failed-gone"
	ResultFinal    = "failed-final"
	ResultHeld     = "failed-held"
	ResultUnseen   = "failed-unseen"
	ResultForeign  = "failed-foreign"
	ResultRetry    = "failed-retry"
)

// label is a metric label with its closed set of values.
type label struct {
	key    string
	values []string
}

// of gives the label its value, or "other".
func (l label) of(value string) attribute.KeyValue {
	if !slices.Contains(l.values, value) {
		value = other
	}
	return attribute.String(l.key, value)
}

type labels struct {
	source, class, severity, reason, state, action, result, consumer label
}

func newLabels(actions []string) labels {
	return labels{
		source: label{"source", []string{
			string(event.SourceFalco), string(event.SourceAudit), string(event.SourceLog), string(event.SourceControl),
		}},
		class:    label{"class", event.Classes()},
		severity: label{"severity", texts(event.Severities())},
		reason: label{"reason", []string{
			ReasonMalformed, ReasonTooLarge, ReasonTooDeep, ReasonDuplicateKey, ReasonEncoding, ReasonUnsupported,
			ReasonIncomplete, ReasonText, ReasonUnauthorized, ReasonOverload, ReasonLimited, ReasonStore,
		}},
		state:  label{"state", texts(event.RunStates())},
		action: label{"action", slices.Clone(actions)},
		result: label{"result", []string{
			string(event.ResultApplied), string(event.ResultUnverified), string(event.ResultEnforced), string(event.ResultVoid), string(event.ResultPartial),
			string(event.ResultNothing), string(event.ResultQueued), string(event.ResultSent), string(event.ResultUndone), string(event.ResultGone),
			ResultConflict, ResultGone, ResultFinal, ResultHeld, ResultUnseen, ResultForeign, ResultRetry,
		}},
		consumer: label{"consumer", []string{ConsumerDetect, ConsumerRespond, ConsumerOutbox}},
	}
}

func texts[S ~string](values []S) []string {
	plain := make([]string, len(values))
	for i, v := range values {
		plain[i] = string(v)
	}
	return plain
}
