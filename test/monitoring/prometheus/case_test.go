package prometheus

// expected are series that raise an alert, and series that don't, each as it is at
// their end.
type expected struct{ raises, quiet [][]string }

func one(line string) []string { return []string{line} }

// counted is an alert on a counter that is nought as long as all is well: its first
// count raises it, and so does a further one; an old count does not.
func counted(of string) expected {
	return expected{
		raises: [][]string{one(of + " _x5 1x3"), one(of + " 0x100 1x5"), one(of + " 4x100 5x5")},
		quiet:  [][]string{one(of + " 0x120"), one(of + " 0x5 3x120"), one(of + " 3x130")},
	}
}

// above is an alert on a gauge that is over a limit for some minutes.
func above(of, calm, over, minutes string) expected {
	return expected{
		raises: [][]string{one(of + " " + over + "x" + minutes)},
		quiet:  [][]string{one(of + " " + calm + "x" + minutes), one(of + " " + over + "x" + minutes + " " + calm + "x1")},
	}
}

var cases = map[string]expected{
	"ModelHearsNothing": above(`firebreak_model_silent{model="m"}`, "0", "12", "6"),
	"CoverageGap":       above(`firebreak_coverage_gap{source="audit"}`, "0", "1", "6"),
	"ModelMeasuresNothing": {
		raises: [][]string{one(`firebreak_model_measured_total{model="api-x"} 7x70`)},
		quiet:  [][]string{one(`firebreak_model_measured_total{model="api-x"} 7+1x70`), one(`firebreak_model_measured_total{model="traffic"} 7x70`)},
	},
	"ModelNotReady": {
		raises: [][]string{one(`firebreak_model_missing{model="m"} 5x2881`), one(`firebreak_model_missing_seconds{model="m"} 5x2881`)},
		quiet:  [][]string{one(`firebreak_model_missing{model="m"} 5x1000`), one(`firebreak_model_missing{model="m"} 5x2881 0`)},
	},
	"ModelMoved": above(`firebreak_model_moved{model="m"}`, "0.05", "0.2", "61"),
	"ModelBudgetSpent": {
		raises: [][]string{one(`firebreak_model_held_total{model="m"} 0+1x60`)},
		quiet:  [][]string{one(`firebreak_model_held_total{model="m"} 0x50 0+1x10`)},
	},
	"ModelQuarantineFull": above(`firebreak_model_quarantined{model="m"}`, "100", "480", "16"),
	"ModelForgets": {
		raises: [][]string{one(`firebreak_model_evicted_total{model="m"} 0+300x60`)},
		quiet:  [][]string{one(`firebreak_model_evicted_total{model="m"} 0+100x60`)},
	},
	"ModelEventsLate": {
		raises: [][]string{{`firebreak_model_late_total{model="m"} 0+100x60`, `firebreak_model_measured_total{model="m"} 0+1000x60`}},
		quiet: [][]string{
			{`firebreak_model_late_total{model="m"} 0+100x60`, `firebreak_model_measured_total{model="m"} 0+10000x60`},
			{`firebreak_model_late_total{model="m"} 0+1x60`, `firebreak_model_measured_total{model="m"} 0+1x60`},
		},
	},
	"DetectBehind": {
		raises: [][]string{one(`firebreak_lag_messages{consumer="detect"} 20000x11`)},
		quiet:  [][]string{one(`firebreak_lag_messages{consumer="detect"} 2000x11`), one(`firebreak_lag_messages{consumer="respond"} 20000x11`)},
	},
	"EventsUnread": {
		raises: [][]string{one(`firebreak_expired_unread_total{consumer="detect"} _x5 3x3`), one(`firebreak_expired_unread_total{consumer="detect"} 0x30 3x3`)},
		quiet:  [][]string{one(`firebreak_expired_unread_total{consumer="detect"} 3x30`)},
	},
	"EventsLost": {
		raises: [][]string{one(`firebreak_lost_total{source="nats"} _x5 3x3`), one(`firebreak_lost_total{source="nats"} 0x30 3x3`)},
		quiet:  [][]string{one(`firebreak_lost_total{source="nats"} 3x30`)},
	},
	"EventsFaulty": counted(`firebreak_file_faults_total{source="log",fault="lost_bytes"}`),
	"DetectorForgets": {
		raises: [][]string{one(`firebreak_detector_evicted_total 0+300x60`)},
		quiet:  [][]string{one(`firebreak_detector_evicted_total 0+100x60`)},
	},
	"IndexOld":       above(`firebreak_index_age_seconds`, "60", "400", "6"),
	"ArchiveAside":   counted(`firebreak_archive_aside_total{instance="a"}`),
	"RunsUnreadable": counted(`firebreak_runs_unreadable_total{instance="a"}`),
	"RunNeedsHuman":  counted(`firebreak_run_transitions_total{state="needs_human"}`),
	"StepsFail": {
		raises: [][]string{one(`firebreak_steps_total{action="pod.quarantine",result="failed-final"} 0x10 0+1x20`)},
		quiet:  [][]string{one(`firebreak_steps_total{action="pod.quarantine",result="failed-final"} 0x30 1x1`), one(`firebreak_steps_total{action="pod.quarantine",result="applied"} 0+1x40`)},
	},
	"ContainmentVoid": {
		raises: [][]string{one(`firebreak_containment_works 0x1`), one(`firebreak_steps_total{action="pod.quarantine",result="void"} _x5 1x3`), one(`firebreak_steps_total{action="pod.quarantine",result="void"} 1x90 2x3`)},
		quiet:  [][]string{one(`firebreak_containment_works 1x1`), one(`firebreak_steps_total{action="pod.quarantine",result="applied"} 1x90 2x3`)},
	},
	"NotificationsDead": counted(`firebreak_notifications_total{kind="email",result="dead"}`),
	"SlackAway":         above(`firebreak_slack_works`, "1", "0", "11"),
	"GlassBroken":       counted(`firebreak_break_glass_total{instance="a"}`),
	"ReviewLate":        above(`firebreak_reviews{state="late"}`, "0", "1", "16"),
	"ApprovalFatigue":   counted(`firebreak_approval_fatigue_total{kind="hasty"}`),
	"RespondBehind":     above(`firebreak_lag_messages{consumer="respond"}`, "10", "2000", "6"),
}
