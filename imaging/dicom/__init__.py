"""DICOM files: recognised by content, bounded, and rendered to 8-bit grey as a viewer would."""
