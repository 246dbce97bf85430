package event

import (
	"reflect"
	"strings"
	"testing"
)

// TestValuesOfClass: the tag by which expressions know the classes is the set.
func TestValuesOfClass(t *testing.T) {
	f, _ := reflect.TypeFor[Event]().FieldByName("Class")
	if got, want := f.Tag.Get("values"), strings.Join(Classes(), " "); got != want {
		t.Errorf("the tag says %s\nwant %s", got, want)
	}
}
