package journal

import (
	"slices"
	"testing"
	"time"
)

func TestEntriesOfTheJournal(t *testing.T) {
	const times = "__REALTIME_TIMESTAMP=1795371392164232\n__MONOTONIC_TIMESTAMP=1500000\n"
	entries, err := ParseExport([]byte("\n" + times + "_BOOT_ID=b\nREASON=A=1 B=2\nTARGET=a\nTARGET=b\n\n" +
		times + "MESSAGE\n\x05\x00\x00\x00\x00\x00\x00\x00a\n\nb=\nEMPTY=\n"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	one, two := entries[0], entries[1]
	if one.Time.UnixMicro() != 1795371392164232 || one.Monotonic != 1500*time.Millisecond || one.Boot != "b" ||
		one.Text("REASON") != "A=1 B=2" || !slices.Equal(one.Fields["TARGET"], []string{"a", "b"}) || one.Text("MESSAGE") != "" {
		t.Errorf("the first entry is %v", one)
	}
	if two.Text("MESSAGE") != "a\n\nb=" || len(two.Fields["EMPTY"]) != 1 {
		t.Errorf("the second entry is %v", two.Fields)
	}
	for _, text := range []string{
		"A=", "A\n", "A\n\x05\x00\x00\x00\x00\x00\x00\x00abcde", "A\n\xff\xff\xff\xff\xff\xff\xff\xffa\n",
		"A=b\n\n", "__REALTIME_TIMESTAMP=1\n\n", "__REALTIME_TIMESTAMP=x\n__MONOTONIC_TIMESTAMP=1\n\n",
	} {
		if entries, err := ParseExport([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, entries)
		}
	}
}
