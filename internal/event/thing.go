package event

import (
	"net/netip"
	"strings"
	"unicode"
)

// Some of what actions are about has no object in the API: whom an authenticator
// vouches for, an address, an image. Such a thing is what its name says, so its
// UID is made of that, and can't be another's.
const (
	// ResourceUsers and ResourceGroups are what the API calls identities where it
	// lets somebody impersonate them.
	ResourceUsers  = "users"
	ResourceGroups = "groups"
	// ThingGroup is the group of ResourceAddresses and ResourceImages.
	ThingGroup        = "firebreak.io"
	ResourceAddresses = "addresses"
	ResourceImages    = "images"
)

// maxThing bounds the name of a thing.
const maxThing = 1024

// UserRef is the reference to an identity as the API server names it, service
// accounts included. What can't be a name gives a reference without one.
func UserRef(name string) Ref { return thing("", ResourceUsers, "User", name) }

// GroupRef is the reference to a group of identities.
func GroupRef(name string) Ref { return thing("", ResourceGroups, "Group", name) }

// AddressRef is the reference to an IP address or CIDR, in its one canonical
// form. Any other text gives a reference without a name.
func AddressRef(text string) Ref {
	if p, err := netip.ParsePrefix(text); err == nil {
		return thing(ThingGroup, ResourceAddresses, "Address", p.Masked().String())
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return Ref{}
	}
	return thing(ThingGroup, ResourceAddresses, "Address", a.Unmap().String())
}

// ImageRef is the reference to a container image, with or without tag and
// digest.
func ImageRef(image string) Ref {
	r := thing(ThingGroup, ResourceImages, "Image", image)
	if r.Name == "" {
		return r
	}
	r.Image = image
	if _, digest, ok := strings.Cut(image, "@"); ok {
		r.Digest = digest
	}
	return r
}

func thing(group, resource, kind, name string) Ref {
	if name == "" || len(name) > maxThing || strings.ContainsFunc(name, unicode.IsControl) || strings.ToValidUTF8(name, "") != name {
		return Ref{}
	}
	return Ref{Group: group, Resource: resource, Kind: kind, Name: name, UID: "thing-" + HashID(group, resource, name)}
}

// IsThing says whether the reference is to something that has no object.
func (r Ref) IsThing() bool {
	switch r.Resource {
	case ResourceUsers, ResourceGroups:
		return r.Group == "" && r.Name != ""
	case ResourceAddresses, ResourceImages:
		return r.Group == ThingGroup && r.Name != ""
	}
	return false
}

// Thing is the reference anew, made of its name alone, whatever else somebody
// wrote into it. One that is to no thing, or whose name can't be one, comes back
// without a name.
func (r Ref) Thing() Ref {
	switch {
	case !r.IsThing():
		return Ref{}
	case r.Resource == ResourceUsers:
		return UserRef(r.Name)
	case r.Resource == ResourceGroups:
		return GroupRef(r.Name)
	case r.Resource == ResourceAddresses:
		return AddressRef(r.Name)
	}
	return ImageRef(r.Name)
}

// Space is the namespace that the reference is about: for a namespace its name,
// else where the object is.
func (r Ref) Space() string {
	if r.Group == "" && r.Resource == "namespaces" {
		return r.Name
	}
	return r.Namespace
}
