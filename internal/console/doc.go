// Package console is the web page: incidents as they go on, runs with their
// plans, what waits for people, how models fare, and the brakes. All of it is
// made on the server, reads without JavaScript, and is decided by the same
// desk, and the same RBAC of the cluster, as the command line and Slack.
//
// The page knows nothing of the responder: what it shows and says goes through
// a [House], which whoever puts the process together gives it. So that nothing
// in the data can become markup, templates get only view types of this package,
// whose texts were made one clean line each ([line]) or a listing ([block]), and
// html/template escapes them where they stand.
package console
