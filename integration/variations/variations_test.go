package variations

import (
	"reflect"
	"testing"
)

func TestDrawnAreTheSameEachTimeAndDiffer(t *testing.T) {
	seeds := [][]any{{"one", []byte{1, 2, 3}, byte(7), true}, {"", []byte{}, byte(0), false}}
	drawn := draw(seeds, 500)
	if again := draw(seeds, 500); !reflect.DeepEqual(drawn, again) {
		t.Error("other variations the second time")
	}
	for i := range seeds[0] {
		different := map[string]bool{}
		for _, arguments := range drawn {
			if reflect.TypeOf(arguments[i]) != reflect.TypeOf(seeds[0][i]) {
				t.Fatalf("argument %d is %#v", i, arguments[i])
			}
			different[reflect.ValueOf(arguments[i]).String()] = true
		}
		if kind := reflect.TypeOf(seeds[0][i]).Kind(); kind == reflect.String && len(different) < 50 {
			t.Errorf("argument %d has only %d variations", i, len(different))
		}
	}
	if !reflect.DeepEqual(seeds[0][1], []byte{1, 2, 3}) {
		t.Errorf("a seed has become %v", seeds[0][1])
	}
}
