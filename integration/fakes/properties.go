package fakes

import (
	"encoding/json"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// jsonVariant is a variant as busctl --json prints it.
type jsonVariant struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// parseProperties parses a GetAll reply as busctl --json=short|pretty prints
// it.
func parseProperties(text []byte) (map[string]dbus.Variant, error) {
	var reply struct {
		Data []map[string]jsonVariant `json:"data"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, err
	}
	if len(reply.Data) != 1 {
		return nil, fmt.Errorf("%d property maps where one was expected", len(reply.Data))
	}
	return parseMap(reply.Data[0])
}

func parseMap(from map[string]jsonVariant) (map[string]dbus.Variant, error) {
	to := make(map[string]dbus.Variant, len(from))
	for name, value := range from {
		variant, err := value.variant()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		to[name] = variant
	}
	return to, nil
}

// variant converts the types that logind's Manager has.
func (v jsonVariant) variant() (dbus.Variant, error) {
	switch v.Type {
	case "b":
		return decode[bool](v.Data)
	case "s":
		return decode[string](v.Data)
	case "u":
		return decode[uint32](v.Data)
	case "t":
		return decode[uint64](v.Data)
	case "as":
		return decode[[]string](v.Data)
	case "(st)":
		var shutdown struct {
			Type string
			When uint64
		}
		err := json.Unmarshal(v.Data, &[]any{&shutdown.Type, &shutdown.When})
		return dbus.MakeVariant(shutdown), err
	case "a{sv}":
		var values map[string]jsonVariant
		if err := json.Unmarshal(v.Data, &values); err != nil {
			return dbus.Variant{}, err
		}
		parsed, err := parseMap(values)
		return dbus.MakeVariant(parsed), err
	}
	return dbus.Variant{}, fmt.Errorf("unknown type %q", v.Type)
}

func decode[T any](data json.RawMessage) (dbus.Variant, error) {
	var value T
	err := json.Unmarshal(data, &value)
	return dbus.MakeVariant(value), err
}
