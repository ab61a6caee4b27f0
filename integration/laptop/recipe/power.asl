// A charger and a battery, as the firmware of a laptop describes them to the
// kernel: chapter 10 of https://uefi.org/specs/ACPI/6.5/. The charger is plugged
// in unless bit 0 of the scratch register of the second serial port is set, which
// nothing else uses and which is 0 at the start of the machine.
DefinitionBlock ("", "SSDT", 2, "LAPTOP", "POWER", 1)
{
    External (\_SB, DeviceObj)

    Scope (\_SB)
    {
        OperationRegion (SCRA, SystemIO, 0x2FF, 1)
        Field (SCRA, ByteAcc, NoLock, Preserve)
        {
            PULL, 1
        }

        Device (AC)
        {
            Name (_HID, "ACPI0003")
            Name (_PCL, Package () { \_SB })
            Method (_PSR)
            {
                Return (PULL ^ 1)
            }
        }

        Device (BAT0)
        {
            Name (_HID, EisaId ("PNP0C0A"))
            Name (_STA, 0x1F) // there, with a battery in it
            Name (_PCL, Package () { \_SB })
            Name (_BIF, Package ()
            {
                0,            // in mW and mWh
                60000, 60000, // full: by design, the last time
                1, 12000,     // rechargeable; mV
                3000, 1000,   // warn, be low
                1, 1,
                "Battery", "1", "LION", "Lab"
            })
            Name (LEFT, Package () { 0, 10000, 48000, 12000 }) // mW, mWh, mV
            Method (_BST, 0, Serialized)
            {
                LEFT[0] = 2 - PULL // 1 discharging, 2 charging
                Return (LEFT)
            }
        }
    }
}
