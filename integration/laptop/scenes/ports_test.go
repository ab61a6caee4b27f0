package scenes

import "os"

// What this laptop's keeper (keeper.go) is told through wishPort, which is 0 after each
// sleep and each start.
const (
	wishPort = 0x3ff
	// wakesItself is the wish to be woken by the laptop's own clock.
	wakesItself = 1
	// comesBack is the wish to be switched on again after the next shutdown.
	comesBack = 2
)

// setPort writes a byte to an I/O port.
func setPort(port int64, value byte) error {
	ports, err := os.OpenFile("/dev/port", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer ports.Close()
	_, err = ports.WriteAt([]byte{value}, port)
	return err
}
