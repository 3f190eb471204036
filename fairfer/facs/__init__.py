"""Action units of the Facial Action Coding System (FACS, Ekman & Friesen 1978) as data, and pure functions of them.

Nothing here knows images, models or audits. Sets of action units are sets of codes such as ``"AU12"``.
"""
