package main

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// The parts of SARIF 2.1.0 that code scanning reads
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

const sarifID = "invalid-document"

// reportSARIF writes problems for code scanning.
func reportSARIF(w io.Writer, _ int, problems []*conf.Error) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: make([]sarifResult, 0, len(problems))}
	run.Tool.Driver = sarifDriver{
		Name: "firebreak", Version: version,
		Rules: []sarifRule{{sarifID, sarifText{"A rule, playbook or config can't be loaded"}}},
	}
	for _, p := range problems {
		result := sarifResult{RuleID: sarifID, Level: "error", Message: sarifText{p.Msg}}
		if p.File != "" {
			at := sarifLocation{}
			at.Physical.Artifact.URI = (&url.URL{Path: filepath.ToSlash(p.File)}).String()
			if p.Line > 0 {
				at.Physical.Region = &sarifRegion{p.Line, max(p.Column, 1)}
			}
			result.Locations = []sarifLocation{at}
		}
		run.Results = append(run.Results, result)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}
