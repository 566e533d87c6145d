"""An oracle of ownership and of the outcome of a move: slow, obvious, and not the engine's.

It is written from design.md, section 4, alone. It reads rows that are plain dictionaries and
walks keys one row at a time, so that a person can follow each answer with a pencil. Nothing of
`domicile.survey`, `domicile.plan` or `domicile.apply` is imported here.
"""
