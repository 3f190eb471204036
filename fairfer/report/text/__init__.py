"""Words of the report: numbers, groups, findings, caveats and the glossary."""
