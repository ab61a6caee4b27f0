package scenes

import "os"

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
