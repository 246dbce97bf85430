package summary

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// Part is what was counted of one writer's interval since it was opened.
type Part struct {
	key    key
	ref    event.Ref
	source event.Source
	trust  event.Trust
	sum    sketch.Summary
	id     string
	// mark is that of the first event in it.
	mark           uint64
	opened, closed time.Time
	// first and last are where its lines were read.
	first, last string
}

// key tells the open parts apart.
type key struct {
	entity
	start int64 // in nanoseconds since 1970
}

func (p *Part) add(e *event.Event, at time.Time) {
	if p.sum.Lines == 0 {
		p.first, p.trust = e.From, e.Trust
	}
	p.last, p.trust = e.From, min(p.trust, e.Trust)
	if at.Before(p.sum.Start) { // only where several intervals share an overflow
		at = p.sum.Start
	}
	p.sum.Add(e, at)
}

// Event is the part as it is stored. It is the same each time.
func (p *Part) Event() event.Event {
	s := &p.sum
	return event.Event{
		ID: p.id, Source: p.source, Class: event.ClassLogSummary, Time: s.Last, Received: p.closed, Cluster: p.key.cluster,
		Severity: event.SeverityInfo, Trust: p.trust, Object: p.ref, Fields: s.Fields(), From: lines(p.first, p.last),
		Message: fmt.Sprintf("%d lines in %s: %d requests, %d errors, %d failed logins", s.Lines, s.Length, s.Requests(), s.Errors(), s.FailedLogins),
	}
}

// Mark says of a line that is stored that a summary counts it too, so that nobody
// who reads both counts it twice.
func Mark(e *event.Event) {
	if !slices.Contains(e.Tags, event.TagSummarised) {
		e.Tags = append(slices.Clip(e.Tags), event.TagSummarised)
	}
}

// lines says where the lines of a part stand: PATH:FIRST-LAST when it is one
// file, else where the first one stands.
func lines(first, last string) string {
	i, j := strings.LastIndexByte(first, ':'), strings.LastIndexByte(last, ':')
	if i < 0 || j < 0 || first == last || first[:i] != last[:j] || strings.Contains(first, " ") {
		return first
	}
	if _, err := strconv.ParseUint(last[j+1:], 10, 64); err != nil {
		return first
	}
	return first + "-" + last[j+1:]
}
