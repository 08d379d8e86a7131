"""The report: how it went lately, on one page for people. No part of it asks anybody else."""
