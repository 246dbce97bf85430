package slack

import _ "embed"

// Manifest is the app's manifest, to be given to Slack when the app is made; see
// https://docs.slack.dev/app-manifests.
//
//go:embed manifest.yaml
var Manifest []byte
