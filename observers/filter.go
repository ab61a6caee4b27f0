package observers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Wants reports whether a signal of the service concerns the source. The service may
// be that of several sources, and a connection gets what any of them has asked for.
func (s Source) Wants(signal *dbus.Signal) bool {
	for _, farewell := range s.Farewells {
		if signal.Name == farewell.Interface+"."+farewell.Member {
			return true
		}
	}
	return s.Root.of(signal) != nil
}

// Edge says what news of a signal cannot be read again, or returns "". Of signals
// with the same news, the last counts.
func (s Source) Edge(signal *dbus.Signal) string {
	kind := s.Root.of(signal)
	if kind == nil {
		return ""
	}
	member := strings.TrimPrefix(signal.Name, kind.Interface+".")
	if kind.Latest != nil {
		if _, isOne := kind.Latest.Signals[member]; isOne {
			return string(signal.Path)
		}
	}
	if slices.Contains(kind.RereadOn, member) {
		return fmt.Sprintf("%s %t", member, isRequest(signal)) // a request counts, also when it is over
	}
	return ""
}

// of returns the kind of the object that a signal is about, among the kind and those
// that it links to; nil if the signal is none that matters.
func (k *Kind) of(signal *dbus.Signal) *Kind {
	return k.find(signal, signal.Path == k.Path)
}

// find is like of, where it is known whether the object's path is one of the kind.
func (k *Kind) find(signal *dbus.Signal, isHere bool) *Kind {
	member, isOwn := strings.CutPrefix(signal.Name, k.Interface+".")
	if isHere && (signal.Name == propertiesChanged || isOwn && slices.Contains(k.signals(), member)) {
		return k
	}
	for i := range k.Links {
		linked := &k.Links[i].Kind
		if found := linked.find(signal, strings.HasPrefix(string(signal.Path), string(linked.Path)+"/")); found != nil {
			return found
		}
	}
	return nil
}
