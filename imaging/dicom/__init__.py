"""DICOM files: detected from the content, limited in size, rendered to 8-bit grey like a viewer."""
