-- Run once, by PostgreSQL's image, when its volume is new: Prefect's database beside ours.
CREATE DATABASE prefect OWNER lastword;
