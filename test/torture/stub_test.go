//go:build linux

package torture

func publisher() error         { return nil }
func unsyncedPublisher() error { return nil }
