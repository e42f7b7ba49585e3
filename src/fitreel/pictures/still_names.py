"""The names of the files of the stills."""

FIELD, REGIONS = "field.png", "regions.png"
RESIDUALS, CONFUSION, CALIBRATION = "residuals.png", "confusion.png", "calibration.png"
IMPORTANCE, DEPENDENCE = "importance.png", "dependence.png"
STILLS = (FIELD, REGIONS, RESIDUALS, CONFUSION, CALIBRATION, IMPORTANCE, DEPENDENCE)
