"""Recovery drills: commands that are killed, full disks, second writers, damaged pages."""
