// Package reach says what a pod may still reach and who may reach it, by the
// policies of its cluster: NetworkPolicy, ClusterNetworkPolicy (v1alpha2) and
// its forerunners AdminNetworkPolicy and BaselineAdminNetworkPolicy
// (v1alpha1), and the policies of Cilium and Calico as far as they map.
//
// But for [Read] and [ReadAround], which fetch the objects, it is pure
// arithmetic: no clock, no I/O.
// Everybody who may write a policy writes its input, so what can't be read is
// told and never trusted: an allow rule counts as wider, a deny rule as
// narrower than it could be.
//
// A world is compiled once from a state ([New]) and asked for pods
// ([World.Report]). Peers are put into classes first (pods that no policy can
// tell apart, address blocks between the borders that policies name), so one
// report costs classes times policies, not pods times policies.
//
// Sources: the API reference of networking.k8s.io/v1,
// https://network-policy-api.sigs.k8s.io (v0.2.0 and v0.1.1),
// https://docs.cilium.io/en/stable/security/policy and
// https://docs.tigera.io/calico/latest/reference/resources.
package reach
